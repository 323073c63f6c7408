"""Filters for the admin's templates."""
