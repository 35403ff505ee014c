"""What a run can be written down as: methods, checklist, and the facts that both rest on."""
