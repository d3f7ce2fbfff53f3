"""The deep effect's network: text, ids and numbers in, one score a row out. PyTorch lives here."""
