package main

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// machine is where, when and of what source something was measured.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Node   string `json:"node,omitempty"`
	// Commit is the source's, with "+" behind it where files had been changed since.
	Commit string    `json:"commit"`
	Date   time.Time `json:"date"`
}

func thisMachine() machine {
	m := machine{CPU: cpuModel(), Cores: runtime.NumCPU(), Go: runtime.Version(), Date: time.Now().UTC().Truncate(time.Second)}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(release))
	}
	m.Node = said("node", "--version")
	if m.Commit = said("git", "rev-parse", "--short=12", "HEAD"); m.Commit != "" && said("git", "status", "--porcelain", "--untracked-files=no") != "" {
		m.Commit += "+"
	}
	return m
}

// said is what a program prints; "" where there is none such.
func said(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// cpuModel is what the kernel calls the processor.
func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
