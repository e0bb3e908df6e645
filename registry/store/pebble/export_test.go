package pebble

// Fail ends the store as a failing disk would, from wherever it is called.
func (s *Store) Fail(cause error) { s.onLibrary(cause) }
