package plot

import (
	"math"
	"strconv"
	"strings"
)

// Number is how figures are shown: three digits that count, and from 100 on whole numbers with commas between the thousands.
func Number(v float64) string {
	size := math.Abs(v)
	switch {
	case size == 0:
		return "0"
	case size >= 99.95:
		return thousands(strconv.FormatFloat(v, 'f', 0, 64))
	case size < 0.0001:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	decimals := 2 - int(math.Floor(math.Log10(size)))
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if w, _ := strconv.ParseFloat(s, 64); math.Abs(w) >= math.Pow10(3-decimals) { // rounding has carried into one more digit
		s = strconv.FormatFloat(v, 'f', max(decimals-1, 0), 64)
	}
	return s
}

// tickNumber is Number without the zeros behind the point.
func tickNumber(v float64) string {
	s := Number(v)
	if strings.Contains(s, ".") && !strings.Contains(s, "e") {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// thousands puts commas into the whole part of a number.
func thousands(number string) string {
	digits, rest, point := strings.Cut(number, ".")
	if point {
		rest = "." + rest
	}
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits + rest
}

// beside is v as Number has it, with so many digits more that it stands on the same side of the bound as v does: 0.6504 is not shown as 0.650 where 0.65
// is the most that is allowed.
func beside(v, bound float64) string {
	s := Number(v)
	for digits := 4; digits < 12; digits++ {
		if w, err := strconv.ParseFloat(strings.ReplaceAll(s, ",", ""), 64); err == nil && (w <= bound) == (v <= bound) {
			break
		}
		s = thousands(strconv.FormatFloat(v, 'f', max(digits-1-int(math.Floor(math.Log10(math.Abs(v)))), 0), 64))
	}
	return s
}
