package torture

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/config"
)

// Options of a Run. Binary must be set; the rest has defaults.
type Options struct {
	Binary string // chaperone, whose processes are tortured
	// OldBinary is an earlier chaperone, and SkewedBinary one whose clock is off
	// by an hour; the faults that need them are left out where they are empty.
	OldBinary, SkewedBinary string

	// Reader is what counting instances read with: a value of count.reader, or Both,
	// then each other one has the other; the default one if empty.
	Reader string

	Kafka string // Apache or Kfake; Apache if empty
	Nodes int    // of the audit cluster; 3 if zero, 1 with Kfake
	// Time is how long faults happen, 45 s if zero; each kind happens once at
	// least, if it takes a little longer.
	Time  time.Duration
	Seed  uint64 // of the first run
	Seeds int    // how many runs, 1 if zero
	Only  []string
	Not   []string // faults by name

	Dir  string    // of logs and data; a new one, removed if all is well, if empty
	Keep bool      // keep the folder
	Out  io.Writer // the verdict
	Say  io.Writer // what is going on
}

// Kinds of Kafka.
const (
	Apache = "apache"
	Kfake  = "kfake"
)

// Both readers are used at once: what one has counted, the other goes on with.
const Both = "both"

// Check fills in the defaults and says all that is wrong, in the words of the flags.
func (o *Options) Check() error {
	if o.Kafka == "" {
		o.Kafka = Apache
	}
	if o.Reader == "" {
		o.Reader = config.Default().Count.Reader
	}
	if o.Nodes == 0 {
		if o.Nodes = 3; o.Kafka == Kfake {
			o.Nodes = 1
		}
	}
	if o.Time == 0 {
		o.Time = 45 * time.Second
	}
	if o.Seeds == 0 {
		o.Seeds = 1
	}
	var errs []error
	if o.Kafka != Apache && o.Kafka != Kfake {
		errs = append(errs, fmt.Errorf("--kafka: %q must be %s or %s", o.Kafka, Apache, Kfake))
	}
	switch {
	case o.Kafka == Kfake && o.Nodes != 1:
		errs = append(errs, fmt.Errorf("--nodes: %d, but %s has one", o.Nodes, Kfake))
	case o.Nodes != 1 && o.Nodes != 3:
		errs = append(errs, fmt.Errorf("--nodes: %d must be 1 or 3", o.Nodes))
	}
	if !slices.Contains([]string{"", config.Sarama, config.InPlace, Both}, o.Reader) {
		errs = append(errs, fmt.Errorf("--reader: %q must be %s, %s or %s", o.Reader, config.Sarama, config.InPlace, Both))
	}
	if o.Time < 5*time.Second {
		errs = append(errs, fmt.Errorf("--time: %s must be at least 5s", o.Time))
	}
	if o.Seeds < 1 {
		errs = append(errs, fmt.Errorf("--seeds: %d must be at least 1", o.Seeds))
	}
	for _, name := range append(slices.Clone(o.Only), o.Not...) {
		if !slices.ContainsFunc(faults, func(f *Fault) bool { return f.Name == name }) {
			errs = append(errs, fmt.Errorf("--only, --without: %q is no fault; there are: %s", name, strings.Join(Names(), ", ")))
		}
	}
	for _, file := range []*string{&o.Binary, &o.OldBinary, &o.SkewedBinary} {
		if *file == "" {
			continue
		}
		path, err := filepath.Abs(*file) // processes run in folders of their own
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("binary: %w", err))
		}
		*file = path
	}
	return errors.Join(errs...)
}

// wants says whether the options leave a fault in.
func (o *Options) wants(name string) bool {
	return (len(o.Only) == 0 || slices.Contains(o.Only, name)) && !slices.Contains(o.Not, name)
}
