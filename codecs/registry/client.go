package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/twmb/franz-go/pkg/sr"
)

// A Client gets schemas from a registry over HTTP and keeps them. It may be used
// from any goroutine. Its errors never show passwords and tokens.
type Client struct {
	name    string
	missing Missing
	nodes   []node
	good    atomic.Int64 // index of the node that answered last, which is asked first

	mu      sync.Mutex
	known   map[uint32]codecs.Schema
	flights map[uint32]*flight
}

var _ codecs.Registry = (*Client)(nil)

// New makes a client. It does not connect. Its error says everything that is wrong
// with the options.
func New(o Options) (*Client, error) {
	nodes, err := o.nodes()
	if err != nil {
		return nil, err
	}
	return &Client{name: o.Name, missing: o.Missing, nodes: nodes,
		known: map[uint32]codecs.Schema{}, flights: map[uint32]*flight{}}, nil
}

// fetch gets a schema and all that it needs, in one attempt.
func (c *Client) fetch(ctx context.Context, id uint32) (codecs.Schema, error) {
	root, err := c.root(ctx, id)
	if errors.Is(err, errMissing) {
		return codecs.Schema{}, c.missing.err(fmt.Sprintf("schema id %d is not in registry %s", id, c), "until it is")
	} else if err != nil {
		return codecs.Schema{}, c.err(id, err)
	}
	var missing *sr.SchemaReference
	s, err := resolve(root, func(ref sr.SchemaReference) (sr.Schema, error) {
		s, err := c.version(ctx, ref)
		if errors.Is(err, errMissing) {
			missing = &ref
		}
		return s, err
	})
	if missing != nil {
		return codecs.Schema{}, c.missing.err(fmt.Sprintf("schema id %d needs version %d of subject %q, which is not in registry %s",
			id, missing.Version, missing.Subject, c), "until it is")
	} else if err != nil {
		return codecs.Schema{}, c.err(id, err)
	}
	return s, nil
}

// root gets the schema of a number.
func (c *Client) root(ctx context.Context, id uint32) (sr.Schema, error) {
	if id > maxID {
		return sr.Schema{}, errMissing
	}
	return c.ask(ctx, func(client *sr.Client) (sr.Schema, error) { return client.SchemaByID(ctx, int(id)) })
}

// version gets a schema that another one refers to.
func (c *Client) version(ctx context.Context, ref sr.SchemaReference) (sr.Schema, error) {
	// Registries take -1 for the latest version, which is another one tomorrow.
	if ref.Version < 1 {
		return sr.Schema{}, fmt.Errorf("reference %q: version %d of subject %q is not a fixed version", ref.Name, ref.Version, ref.Subject)
	}
	// Deleted means hidden: messages that need the schema may be there still.
	ctx = sr.WithParams(ctx, sr.ShowDeleted)
	s, err := c.ask(ctx, func(client *sr.Client) (sr.Schema, error) {
		s, err := client.SchemaByVersion(ctx, ref.Subject, ref.Version)
		return s.Schema, err
	})
	if err != nil && !errors.Is(err, errMissing) {
		err = fmt.Errorf("version %d of subject %q: %w", ref.Version, ref.Subject, err)
	}
	return s, err
}

var errNoText = errors.New("the answer is not that of a schema registry: it has no schema")

// ask asks one node after the other until one has the schema. It is missing if all
// say so: one may lag behind others.
func (c *Client) ask(ctx context.Context, request func(*sr.Client) (sr.Schema, error)) (sr.Schema, error) {
	var failed []error
	first := int(c.good.Load())
	for i := range c.nodes {
		at := (first + i) % len(c.nodes)
		n := c.nodes[at]
		s, err := request(n.client)
		switch {
		case err == nil && s.Schema != "":
			c.good.Store(int64(at))
			return s, nil
		case ctx.Err() != nil:
			return sr.Schema{}, ctx.Err()
		case err == nil:
			err = errNoText
		default:
			err = explain(err)
		}
		if !errors.Is(err, errMissing) {
			failed = append(failed, fmt.Errorf("%s: %w", n.url, err))
		}
	}
	switch len(failed) {
	case 0:
		return sr.Schema{}, errMissing
	case 1:
		return sr.Schema{}, failed[0]
	}
	err := failed[0]
	for _, next := range failed[1:] {
		err = fmt.Errorf("%w; %w", err, next)
	}
	return sr.Schema{}, err
}

// err says which schema could not be had, and why.
func (c *Client) err(id uint32, err error) error {
	return fmt.Errorf("schema id %d from registry %s: %w", id, c.name, err)
}

// String is the name of the registry and where it is.
func (c *Client) String() string {
	urls := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		urls[i] = n.url
	}
	return fmt.Sprintf("%s (%s)", c.name, strings.Join(urls, ", "))
}
