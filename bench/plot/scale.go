package plot

import (
	"math"
	"slices"
)

// wide is how many times its smallest value the greatest of an axis may be before the axis is logarithmic.
const wide = 20

// scale is an axis: values from lo to hi lie at from to to, in pixels.
type scale struct {
	log      bool
	lo, hi   float64
	from, to float64
}

// at is where a value lies; what is outside lies at the end.
func (s scale) at(v float64) float64 {
	v = min(max(v, s.lo), s.hi)
	if s.log {
		return s.from + (s.to-s.from)*math.Log(v/s.lo)/math.Log(s.hi/s.lo)
	}
	return s.from + (s.to-s.from)*(v-s.lo)/(s.hi-s.lo)
}

// scaleFor is an axis for figures. It begins at zero, or, where they are further apart than wide, at a round number that leaves the least of them a length
// that can be seen. Both ends are round.
func scaleFor(values []float64, from, to float64) scale {
	s := scale{hi: 1, from: from, to: to}
	if len(values) == 0 {
		return s
	}
	least, most := slices.Min(values), slices.Max(values)
	switch {
	case most <= 0:
	case least > 0 && most/least > wide:
		s.log, s.lo, s.hi = true, roundDown(least/1.5), roundUp(most)
	default:
		step := roundUp(most / 5)
		s.hi = step * math.Ceil(most/step-1e-9)
	}
	return s
}

// ladder are the round numbers of each decade.
var ladder = []float64{1, 2, 5}

// roundDown is the round number at or below v, which is above zero; roundUp is the one at or above.
func roundDown(v float64) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(v)+1e-9))
	found := decade
	for _, step := range ladder {
		if step*decade <= v*(1+1e-9) {
			found = step * decade
		}
	}
	return found
}

func roundUp(v float64) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(v)+1e-9))
	for _, step := range ladder {
		if step*decade >= v*(1-1e-9) {
			return step * decade
		}
	}
	return 10 * decade
}

// ticks are the values of an axis that are written at it: the closest of several choices whose labels, each size(label) long along the axis, stay apart.
func (s scale) ticks(size func(label string) float64) []float64 {
	var last []float64
	for _, choice := range s.choices() {
		if s.apart(choice, size) {
			return choice
		}
		last = choice
	}
	return last[:min(len(last), 1)]
}

// choices are sets of ticks, the closest first.
func (s scale) choices() (all [][]float64) {
	if s.log {
		first, last := int(math.Floor(math.Log10(s.lo)+1e-9)), int(math.Ceil(math.Log10(s.hi)-1e-9))
		for _, steps := range [][]float64{{1, 2, 5}, {1, 3}, {1}} {
			all = append(all, s.decades(first, last, 1, steps))
		}
		for every := 2; every <= last-first; every++ {
			all = append(all, s.decades(first, last, every, []float64{1}))
		}
		return all
	}
	for step := roundUp((s.hi - s.lo) / 10); step <= s.hi-s.lo; step = roundUp(step * 1.5) {
		var choice []float64
		for n := math.Ceil(s.lo/step - 1e-9); n*step <= s.hi*(1+1e-9); n++ {
			choice = append(choice, n*step)
		}
		all = append(all, choice)
	}
	return all
}

// decades are the round numbers of every so manieth decade from first to last, as far as they lie on the axis.
func (s scale) decades(first, last, every int, steps []float64) (choice []float64) {
	for d := first; d <= last; d += every {
		for _, step := range steps {
			if v := step * math.Pow(10, float64(d)); v >= s.lo*(1-1e-9) && v <= s.hi*(1+1e-9) {
				choice = append(choice, v)
			}
		}
	}
	return choice
}

// apart reports whether the labels of ticks keep a distance. There have to be two at least.
func (s scale) apart(ticks []float64, size func(label string) float64) bool {
	const distance = 14
	for i := 1; i < len(ticks); i++ {
		room := math.Abs(s.at(ticks[i]) - s.at(ticks[i-1]))
		if room < (size(tickNumber(ticks[i]))+size(tickNumber(ticks[i-1])))/2+distance {
			return false
		}
	}
	return len(ticks) > 1
}
