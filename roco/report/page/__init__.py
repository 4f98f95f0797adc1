"""The page that shows all tables and figures, with the answer in sentences."""
