package inplace

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A fetch is a fetch request that tells the client what it cannot see.
type fetch struct {
	*kmsg.FetchRequest
	// named says that a topic has no id: metadata gave none. Asked for by the id that
	// it does not have, it would be answered by nothing that could be told apart.
	named bool
	// extra is how much longer than others the whole answer may be in coming.
	extra time.Duration
}

// MaxVersion is the highest version that can be sent.
func (f fetch) MaxVersion() int16 {
	if f.named {
		return idsFrom - 1
	}
	return f.FetchRequest.MaxVersion()
}

// Timeout is what the client adds, in milliseconds, to its time for answers. Unlike
// the deadline of a context it does not run while the broker has us throttled.
func (f fetch) Timeout() int32 { return f.MaxWaitMillis + int32(f.extra.Milliseconds()) }
