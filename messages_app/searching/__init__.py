"""Reading what is stored, never past the watermark."""
