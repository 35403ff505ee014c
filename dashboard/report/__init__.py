"""A run as a file: HTML with its charts alive, a PDF, a ZIP of figures and tables; no Streamlit."""
