"""One page that reads what is drawn on it: the networks in a browser, without a server."""
