package tests

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLedger_ABrokenBalanceIsFound shows the crash tests' checker each fault that it is there to find, and the nearest thing that is none.
func TestLedger_ABrokenBalanceIsFound(t *testing.T) {
	t.Parallel()
	confirmed, unknown := order{from: 1, count: 2, confirmed: true, first: 5}, order{from: 3, count: 2}
	for name, c := range map[string]struct {
		orders []order
		got    []arrival
		want   string // "" for a balance
	}{
		"nothing at all":              {nil, nil, ""},
		"confirmed and there":         {[]order{confirmed}, []arrival{{1, 5}, {2, 6}}, ""},
		"unanswered and not there":    {[]order{confirmed, unknown}, []arrival{{1, 5}, {2, 6}}, ""},
		"unanswered and there":        {[]order{confirmed, unknown}, []arrival{{1, 5}, {2, 6}, {3, 9}, {4, 10}}, ""},
		"missing":                     {[]order{confirmed}, nil, "missing"},
		"missing behind another":      {[]order{unknown, {from: 5, count: 1, confirmed: true, first: 3}}, []arrival{{3, 1}, {4, 2}}, "missing"},
		"at another seq":              {[]order{confirmed}, []arrival{{1, 6}, {2, 7}}, "came as 6"},
		"half of an unanswered call":  {[]order{unknown}, []arrival{{3, 1}}, "in part"},
		"half of a confirmed call":    {[]order{confirmed, unknown}, []arrival{{1, 5}, {3, 6}, {4, 7}}, "in part"},
		"a call with others between":  {[]order{confirmed}, []arrival{{1, 5}, {2, 7}}, "between"},
		"twice":                       {[]order{confirmed}, []arrival{{1, 5}, {2, 6}, {1, 7}, {2, 8}}, "twice"},
		"an unanswered one, too late": {[]order{{from: 1, count: 1}, {from: 2, count: 1, confirmed: true, first: 1}}, []arrival{{2, 1}, {1, 2}}, "out of order"},
		"never sent":                  {nil, []arrival{{1, 1}}, "never sent"},
	} {
		l := newLedger(1, 1)
		l.orders[0][0], l.arrivals[0][0] = c.orders, c.got
		_, err := l.balance()
		if c.want == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, c.want, name)
		}
	}
}
