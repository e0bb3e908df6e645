package demo

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress shows one line that is rewritten in place on a terminal, and a line every few seconds elsewhere.
type progress struct {
	once sync.Once
	quit chan struct{}
	done chan struct{}
}

func newProgress(w io.Writer, live bool, v *verdict) *progress {
	p := &progress{quit: make(chan struct{}), done: make(chan struct{})}
	every, format := 3*time.Second, "%5.1fs  %s\n"
	if live {
		every, format = 100*time.Millisecond, "\r\x1b[K%5.1fs  %s"
	}
	go func() {
		defer close(p.done)
		clock := time.NewTicker(every)
		defer clock.Stop()
		began := time.Now()
		for {
			select {
			case <-clock.C:
				fmt.Fprintf(w, format, time.Since(began).Seconds(), v.line())
			case <-p.quit:
				fmt.Fprintf(w, format, time.Since(began).Seconds(), v.line())
				if live {
					fmt.Fprintln(w)
				}
				return
			}
		}
	}()
	return p
}

// stop writes the last line; it may be called more than once.
func (p *progress) stop() {
	p.once.Do(func() { close(p.quit) })
	<-p.done
}
