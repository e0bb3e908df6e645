package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// runPass is the life of a child: one pass, its result as JSON on standard output.
func runPass(name string, length time.Duration, args []string) error {
	passes := map[string]func(time.Duration, []string) (result, error){
		"broker": passBroker, "jetstream": passJetStream, "slow": passSlowDisk, "wake": passWake,
		"ndjson": loadNDJSON, "sends": loadSends, "xadd": loadXADD,
	}
	run, ok := passes[name]
	if !ok {
		return fmt.Errorf("there is no pass %q", name)
	}
	r, err := run(length, args)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// frame is a frame of frameBytes, which says who sent it and the how manieth it is; the rest is letters that do not compress well.
func frame(worker, n int) []byte {
	head := fmt.Sprintf(`{"type":"x","worker":%d,"n":%d,"pad":"`, worker, n)
	return append(append([]byte(head), letters[n%1000:][:frameBytes-len(head)-2]...), `"}`...)
}

// letters is what frames are filled up with.
var letters = func() []byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	rnd, all := rand.New(rand.NewPCG(1, 2)), make([]byte, 2000)
	for i := range all {
		all[i] = alphabet[rnd.IntN(len(alphabet))]
	}
	return all
}()

// together runs all workers in a closed loop for a while, and returns how much they did. do returns how much one call has done.
// What CPU this process has used meanwhile is in the result too.
func together(length time.Duration, do func(worker, n int) (int, error)) (r result, err error) {
	var ops atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	cpu, begin := processorTime(), time.Now()
	for w := range workers {
		all.Go(func() {
			for n := 0; time.Since(begin) < length && failed.Load() == nil; n++ {
				done, err := do(w, n)
				if err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				ops.Add(int64(done))
			}
		})
	}
	all.Wait()
	r = result{Ops: ops.Load(), Seconds: time.Since(begin).Seconds(), CPU: processorTime() - cpu}
	if e := failed.Load(); e != nil {
		err = *e
	}
	return r, err
}

// processorTime is what this process has used so far, in seconds.
func processorTime() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it takes no argument that could be wrong
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
