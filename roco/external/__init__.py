"""Networks and images from anywhere, measured by the white-box protocol: what `roco evaluate` does."""
