"""What encrypting costs people on real servers, beside the same text sent in clear: `make bench`."""
