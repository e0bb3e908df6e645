package main

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// TestMain is the program itself where a child is wanted: inChild starts whatever program it is in.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-run" {
		if err := runChild(context.Background(), os.Stdin, os.Stdout, os.Stderr); err != nil {
			fmt.Fprintf(os.Stderr, "%s%v\n", complaint, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
