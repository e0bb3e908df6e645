package pebble

func (s *Store) Followers(topic, after string, f func(clientID string) bool) error  { return nil }
func (s *Store) Matching(topic string, f func(pattern, clientID string) bool) error { return nil }
