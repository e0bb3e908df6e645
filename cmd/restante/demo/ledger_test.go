package demo

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLedger_SeesEveryFault sends four lines and delivers what the case says: only the whole, ordered, unchanged delivery passes.
func TestLedger_SeesEveryFault(t *testing.T) {
	frames := map[string]string{
		"1": `{"seq":1,"type":"line","n":1,"text":"one"}`, "2": `{"seq":2,"type":"line","n":2,"text":"two"}`,
		"3": `{"seq":3,"type":"line","n":3,"text":"three"}`, "4": `{"seq":4,"type":"line","n":4,"text":"four"}`,
		"x": `{"seq":3,"type":"line","n":3,"text":"altered"}`, "5": `{"seq":5,"type":"line","n":5,"text":"never sent"}`,
		"?": `{"seq":5,"type":"other"}`, "!": `no JSON`,
	}
	for delivered, want := range map[string]bool{
		"1234": true, "": false, "123": false, "234": false, "124": false, "1224": false, "12234": false, "1324": false,
		"12x4": false, "12345": false, "12343": false, "1234?": false, "1234!": false,
	} {
		l := &ledger{}
		l.sending([]string{"one", "two"}, 20)
		l.sending([]string{"three", "four"}, 20)
		l.stored(4)
		for _, k := range strings.Split(delivered, "") {
			l.took([]byte(frames[k]))
		}
		if delivered == "" {
			l = &ledger{}
			l.sending([]string{"one"}, 10)
			l.stored(1)
		}
		require.Equal(t, want, l.counts().faultless(), "%q: %+v", delivered, l.counts())
	}
}

func TestLedger_NothingSentIsNoSuccess(t *testing.T) {
	require.False(t, (&ledger{}).counts().faultless())
}

func TestLedger_UnconfirmedIsNoSuccess(t *testing.T) {
	l := &ledger{}
	l.sending([]string{"one"}, 10)
	l.took([]byte(`{"seq":1,"type":"line","n":1,"text":"one"}`))
	require.False(t, l.counts().faultless(), "the broker never said that it has it")
	l.stored(1)
	require.True(t, l.counts().faultless())
}

func TestLedger_WindowHoldsThePublisherBack(t *testing.T) {
	l := &ledger{}
	require.Equal(t, mostAtOnce, l.room())
	l.sending(make([]string, windowLines-7), 100)
	require.Equal(t, 7, l.room())
	l = &ledger{}
	l.sending([]string{""}, windowBytes)
	require.Zero(t, l.room())
}
