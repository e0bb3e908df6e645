package tests

import (
	"fmt"
	"strings"
)

// order is one call of a publisher for one client: its frames from … from+count-1. An unconfirmed one may be there or not, but only whole.
type order struct {
	from, count int
	confirmed   bool
	first       uint64 // the seq of the first frame, by the receipt
}

// arrival is one frame that a reader has applied.
type arrival struct {
	n   int
	seq uint64
}

// ledger is what publishers were told and what readers got, kept by each on its own: orders[p] belongs to publisher p, arrivals[c] to
// the reader of client c. It is compared when all of them have ended.
type ledger struct {
	orders   [][][]order   // by publisher and client
	arrivals [][][]arrival // by client and publisher
}

func newLedger(publishers, clients int) *ledger {
	l := &ledger{orders: make([][][]order, publishers), arrivals: make([][][]arrival, clients)}
	for p := range l.orders {
		l.orders[p] = make([][]order, clients)
	}
	for c := range l.arrivals {
		l.arrivals[c] = make([][]arrival, publishers)
	}
	return l
}

// next is the number of publisher p's next frame for client c.
func (l *ledger) next(p, c int) int {
	if all := l.orders[p][c]; len(all) > 0 {
		return all[len(all)-1].from + all[len(all)-1].count
	}
	return 1
}

// account is what a ledger comes to.
type account struct{ confirmed, kept, lost, frames int }

func (a account) String() string {
	return fmt.Sprintf("%d calls confirmed, of those unanswered %d kept and %d not, %d frames", a.confirmed, a.kept, a.lost, a.frames)
}

// balance holds what came to what was confirmed: all of it, at the seqs of the receipts, each publisher's in its order, each call whole,
// each frame once, and nothing that nobody sent.
func (l *ledger) balance() (a account, err error) {
	for p := range l.orders {
		for c, orders := range l.orders[p] {
			got := l.arrivals[c][p]
			a.frames += len(got)
			for _, o := range orders {
				there := len(got) > 0 && got[0].n == o.from
				switch {
				case o.confirmed && !there:
					return a, fmt.Errorf("client %d: publisher %d's frames from %d on were confirmed as seq %d, but missing; next came %v", c, p, o.from, o.first, firstOf(got))
				case o.confirmed && got[0].seq != o.first:
					return a, fmt.Errorf("client %d: publisher %d's frame %d was confirmed as seq %d, and came as %d", c, p, o.from, o.first, got[0].seq)
				case !there:
					a.lost++
					continue
				case len(got) < o.count || got[o.count-1].n != o.from+o.count-1:
					return a, fmt.Errorf("client %d: publisher %d's call of the frames %d to %d came in part", c, p, o.from, o.from+o.count-1)
				case got[o.count-1].seq != got[0].seq+uint64(o.count-1):
					return a, fmt.Errorf("client %d: publisher %d's call of the frames %d to %d came with others between", c, p, o.from, o.from+o.count-1)
				}
				if got = got[o.count:]; o.confirmed {
					a.confirmed++
				} else {
					a.kept++
				}
			}
			if len(got) > 0 {
				return a, fmt.Errorf("client %d: publisher %d's frame %d came twice, or out of order, or was never sent", c, p, got[0].n)
			}
		}
	}
	return a, nil
}

func firstOf(got []arrival) any {
	if len(got) == 0 {
		return "nothing"
	}
	return got[0]
}

// deed is publisher pub's n-th frame for a client: everything in it follows from the two. Now and then one is longer than a block of
// the write-ahead log.
func deed(pub, n int) string {
	size := (pub*31 + n*17) % 400
	if (pub+n)%97 == 0 {
		size = 30_000 + size*20
	}
	return fmt.Sprintf(`{"type":"deed","pub":%d,"n":%d,"pad":"%s"}`, pub, n, strings.Repeat("d", size))
}
