package inplace

import "github.com/twmb/franz-go/pkg/kmsg"

// A fetch is a fetch request that tells the client what it cannot see.
type fetch struct {
	*kmsg.FetchRequest
	// named says that a topic has no id: metadata gave none. Asked for by the id that
	// it does not have, it would be answered by nothing that could be told apart.
	named bool
}

// MaxVersion is the highest version that can be sent.
func (f fetch) MaxVersion() int16 {
	if f.named {
		return idsFrom - 1
	}
	return f.FetchRequest.MaxVersion()
}
