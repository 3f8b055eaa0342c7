"""One file a section of the page: the run's records → what its template prints, or None where nothing is measured."""
