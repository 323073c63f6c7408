"""What watches over HTTP, as Django knows it: for the description of the API, and for what is not plain."""
