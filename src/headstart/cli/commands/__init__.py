"""What each command takes, and the one public function that it calls."""
