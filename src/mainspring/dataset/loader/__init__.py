"""The loader, its batches on their way, and how its items are dealt out over ranks."""
