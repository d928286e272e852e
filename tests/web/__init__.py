"""What programs, providers and monitors see over HTTP."""
