package session

import "time"

// prune applies the bounds (P-13), and closes nobody: an attachment whose next frame went learns it when it is next offered a batch.
func (s *Session) prune(now time.Duration, fx *Effects) {
	keep := s.box.Head()
	if s.x != nil {
		for _, a := range s.x.attached {
			keep = min(keep, a.cursor)
		}
	}
	p := s.box.Prune(s.cfg.Bounds, now, keep)
	s.gone(p.Freed)
	fx.event(EventPrunedCount, p.Count)
	fx.event(EventPrunedBytes, p.Bytes)
	fx.event(EventPrunedAge, p.Age)
	if p.Frames() > 0 {
		s.answerWaits(fx)
	}
}
