package plot

import (
	"strings"
	"testing"

	"github.com/restante/restante/bench"
)

// passes are runs of ours and of the reference, one each a pass, in work "w".
func passes(ours, reference []float64) []Run {
	var runs []Run
	for server, values := range map[string][]float64{"ours": ours, "ref": reference} {
		for i, v := range values {
			runs = append(runs, Run{Work: "w", Pass: i + 1, Result: bench.Result{Server: server, Figures: map[string]float64{bench.FigureCPU: v}}})
		}
	}
	return runs
}

var measure = Measure{Work: "w", Figure: bench.FigureCPU}

// TestRatiosAreTakenWithinAPass has a machine that is three times as slow in the second pass: the ratio of the medians would be another.
func TestRatiosAreTakenWithinAPass(t *testing.T) {
	runs := passes([]float64{0.5, 4.5, 6}, []float64{1, 3, 10}) // 0.5, 1.5, 0.6; of the medians: 1.5
	v := Goal{Most: 0.6, Against: "ref"}.Judge(runs, measure, "ours")
	if !v.Known || !v.Met || v.Is != (Spread{0.6, 0.5, 1.5}) {
		t.Errorf("%+v", v)
	}
	if v := (Goal{Most: 0.59, Against: "ref"}).Judge(runs, measure, "ours"); !v.Known || v.Met {
		t.Errorf("%+v", v)
	}
}

// TestAPassThatOneLacksCountsForNoRatio leaves out what cannot be compared.
func TestAPassThatOneLacksCountsForNoRatio(t *testing.T) {
	v := Goal{Most: 1, Against: "ref"}.Judge(passes([]float64{1, 2, 9}, []float64{2, 2}), measure, "ours")
	if v.Is != (Spread{0.75, 0.5, 1}) || !v.Met {
		t.Errorf("%+v", v)
	}
}

func TestAbsoluteGoals(t *testing.T) {
	runs := passes([]float64{299, 301, 300}, nil)
	if v := (Goal{Most: 300}).Judge(runs, measure, "ours"); !v.Met || v.Is.Median != 300 {
		t.Errorf("%+v", v)
	}
	thousandth := measure
	thousandth.Scale = 0.001
	if v := (Goal{Most: 0.3}).Judge(runs, thousandth, "ours"); !v.Met {
		t.Errorf("%+v", v)
	}
	if v := (Goal{Most: 299.9}).Judge(runs, measure, "ours"); v.Met || !v.Known {
		t.Errorf("%+v", v)
	}
}

// TestFaultsMeetNoGoal takes a goal that the figures meet, and one fault in one pass.
func TestFaultsMeetNoGoal(t *testing.T) {
	for what, spoil := range map[string]func(*bench.Result){
		"1 lost": func(r *bench.Result) { r.Lost = 1 }, "1 doubled": func(r *bench.Result) { r.Doubled = 1 },
		"1 out of order": func(r *bench.Result) { r.Disordered = 1 }, "no time": func(r *bench.Result) { r.Failed = "no time" },
	} {
		runs := passes([]float64{1, 1, 1}, []float64{9, 9, 9})
		for i := range runs {
			if runs[i].Server == "ours" && runs[i].Pass == 2 {
				spoil(&runs[i].Result)
			}
		}
		v := Goal{Most: 1, Against: "ref"}.Judge(runs, measure, "ours")
		if v.Met || !v.Known || !strings.Contains(v.Why, "pass 2: "+what) {
			t.Errorf("%s: %+v", what, v)
		}
		if says := v.says(1); !strings.Contains(says, "NOT met") {
			t.Errorf("%s: it is said %q", what, says)
		}
	}
}

// TestUnknownGoals says neither met nor not met of what was not measured.
func TestUnknownGoals(t *testing.T) {
	for _, runs := range [][]Run{nil, passes(nil, []float64{1}), passes([]float64{1}, nil), passes([]float64{1}, []float64{0})} {
		v := Goal{Most: 1, Against: "ref"}.Judge(runs, measure, "ours")
		if v.Known || v.Met || v.Why == "" || strings.Contains(v.says(1), "met") {
			t.Errorf("%+v", v)
		}
	}
	heap := passes([]float64{0}, nil)
	heap[0].Figures = map[string]float64{bench.FigureHeapPer: 0} // the server does not know
	if v := (Goal{Most: 1}).Judge(heap, Measure{Work: "w", Figure: bench.FigureHeapPer}, "ours"); v.Known || v.Met {
		t.Errorf("%+v", v)
	}
}

func TestMedianOfAnEvenNumber(t *testing.T) {
	if s, _ := measure.Spread(passes([]float64{4, 1, 2, 3}, nil), "ours"); s != (Spread{2.5, 1, 4}) {
		t.Errorf("%+v", s)
	}
}
