package agent

import "strconv"

// count is n things, as in "1 file" and "12 files".
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}
