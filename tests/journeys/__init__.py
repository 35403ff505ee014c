"""Journeys through the dashboard in a real browser."""

import pytest

pytest.register_assert_rewrite("tests.journeys.looks", "tests.journeys.visitor")
