"""Reading what is stored, never past the watermark.

Pages from either end (`history`), previews for people (`previews`), all of it as a file (`files`), and what
comes as it comes (`following`). The watermark follows from the stream (`watermark`). A page is shown without
one while Redis is away, and says so; who reads on from where it was does not read then (`archive`).
"""
