package plot

import "testing"

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1.00", 0.64: "0.640", 0.05: "0.0500", 9.994: "9.99", 9.996: "10.0", 99.94: "99.9", 99.96: "100", 99.949: "99.9", 273: "273", 999.6: "1,000",
		28014: "28,014", 1000000: "1,000,000", 123456.7: "123,457", -12.34: "-12.3", -1234: "-1,234", 0.9996: "1.00", 0.00002: "2e-05",
	} {
		if got := Number(v); got != want {
			t.Errorf("Number(%v) = %s, not %s", v, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0", 0.2: "0.2", 2.5: "2.5", 10: "10", 100: "100", 20000: "20,000"} {
		if got := tickNumber(v); got != want {
			t.Errorf("tickNumber(%v) = %s, not %s", v, got, want)
		}
	}
}

// TestBesideTheBound shows a figure on its own side of what is allowed, with no more digits than that takes.
func TestBesideTheBound(t *testing.T) {
	for _, c := range []struct {
		v, bound float64
		want     string
	}{
		{0.61, 0.65, "0.610"}, {0.6504, 0.65, "0.6504"}, {0.65, 0.65, "0.650"}, {0.6499, 0.65, "0.650"}, {0.65000004, 0.65, "0.65000004"},
		{2000.2, 2000, "2,000.2"}, {2000, 2000, "2,000"}, {1999.9, 2000, "2,000"}, {300.4, 300, "300.4"}, {0, 1, "0"},
	} {
		if got := beside(c.v, c.bound); got != c.want {
			t.Errorf("%v beside %v is %s, not %s", c.v, c.bound, got, c.want)
		}
	}
}
