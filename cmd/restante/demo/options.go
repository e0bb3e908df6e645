package demo

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"
)

const (
	// defaultDuration is how long lines are published, defaultCuts how many cuts there must be.
	defaultDuration = 25 * time.Second
	defaultCuts     = 20
	// mostDuration bounds a duration, mostTime a whole run, without the end of the broker. A cut takes up to 0.3 s on top of a quarter of
	// the duration for all of them, so that mostCuts have their time in any run; kills come between them and take as long, so that there is half the time for cuts then.
	mostDuration, mostTime = 40 * time.Second, 42 * time.Second
	mostCuts               = 100
	mostKills              = 10
)

// Options say how a demo runs. Zero means the documented default.
type Options struct {
	// Seed decides where and how connections are cut; 0 draws one, which the run tells.
	Seed uint64
	// Duration (25 s) is how long the program's output is spread over, 1 to 40 s. The verdict comes within 45 s of the start.
	Duration time.Duration
	// Cuts (20) is how many cuts there must be, at most 100, with Kills 50. Where they need longer than Duration, about 0.3 s each, the run does too.
	Cuts int
	// Kills is how many times at least the broker itself is to be killed and started again, 0 for not at all, at most 10.
	Kills int
	// Command is the program whose output is published. Empty: the go command about the module here, or about the standard library,
	// or ls -lR /usr/share.
	Command []string
	// Executable is the restante binary that runs the broker ("": this one).
	Executable string
	// Out (standard output) takes the progress and the verdict.
	Out io.Writer
}

func (o Options) filled() (Options, error) {
	o.Duration = cmp.Or(o.Duration, defaultDuration)
	o.Cuts = cmp.Or(o.Cuts, defaultCuts)
	if o.Duration < time.Second || o.Duration > mostDuration {
		return o, fmt.Errorf("the duration %v is not between 1s and %v", o.Duration, mostDuration)
	}
	if o.Cuts < 0 {
		return o, errors.New("the number of cuts cannot be off")
	}
	most := mostCuts
	if o.Kills > 0 {
		most /= 2
	}
	if o.Cuts > most {
		return o, fmt.Errorf("%d cuts do not fit into the time of a demo: give at most %d", o.Cuts, most)
	}
	if o.Kills < 0 || o.Kills > mostKills {
		return o, fmt.Errorf("%d kills: there are 0 to %d of them in a demo", o.Kills, mostKills)
	}
	for o.Seed == 0 {
		o.Seed = rand.Uint64N(1_000_000)
	}
	if o.Out == nil {
		o.Out = os.Stdout
	}
	if o.Executable == "" {
		path, err := os.Executable()
		if err != nil {
			return o, err
		}
		o.Executable = path
	}
	return o, nil
}
