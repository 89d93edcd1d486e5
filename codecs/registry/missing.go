package registry

import (
	"fmt"
	"math"

	"github.com/chaperone-audit/chaperone/codecs"
)

// Missing says what to make of messages whose schema the registry says that it
// does not have.
type Missing string

const (
	// Wait stops the counting of the source until the schema is there.
	Wait Missing = "wait"
	// Malformed counts the messages as malformed, for ever: if the schema turns up
	// later, those that have been counted stay what they are, and tiers that asked
	// before and after differ. It is for schemas that have been deleted, and for
	// bytes that only look like the number of a schema. Do not choose it if a node of
	// the registry may lag behind the one that gives out numbers.
	Malformed Missing = "malformed"
)

// orDefault fills in the default, and refuses what is not a Missing.
func (m Missing) orDefault() (Missing, error) {
	switch m {
	case "":
		return Wait, nil
	case Wait, Malformed:
		return m, nil
	}
	return m, fmt.Errorf("missing: %q must be %s or %s", string(m), Wait, Malformed)
}

// maxID is the last number that a schema can have: registries count with 32 bits
// and a sign, and what they answer when asked for more is not about schemas.
const maxID = math.MaxInt32

// err is what Schema says of a schema that is missing; what says which one is, and
// until is how the waiting may end otherwise.
func (m Missing) err(what, until string) error {
	if m == Malformed {
		return fmt.Errorf("%s: %w", what, codecs.ErrNoSchema)
	}
	return fmt.Errorf("%s: counting of the source waits %s; `missing: malformed` in schema_registries counts such messages as malformed", what, until)
}
