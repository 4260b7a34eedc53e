"""The paper's figures: one file each, with the original's points and our own beside them."""
