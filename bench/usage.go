package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ticksPerSecond is what /proc counts processor time in; it is the same on every Linux that Go runs on.
const ticksPerSecond = 100

// cpuOf returns the processor seconds that a process has used, in user mode and in the kernel.
func cpuOf(pid int) (float64, error) {
	name := fmt.Sprintf("/proc/%d/stat", pid)
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	// The command's name is in parentheses and may hold anything; utime and stime are fields 14 and 15.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s has not the fields that it should have: %q", name, text)
	}
	user, err := strconv.ParseUint(fields[11], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	system, err := strconv.ParseUint(fields[12], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return float64(user+system) / ticksPerSecond, nil
}

// residentOf returns the bytes of memory that a process occupies.
func residentOf(pid int) (int64, error) {
	name := fmt.Sprintf("/proc/%d/statm", pid)
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("%s has not the fields that it should have: %q", name, text)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return pages * int64(os.Getpagesize()), nil
}
