package kafkatest

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// road is a connection through a network to a peer.
func road(t *testing.T) (n *Network, client, peer net.Conn) {
	t.Helper()
	back, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { back.Close() })
	front, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	if n, err = newNetwork([]path{{front, back.Addr().(*net.TCPAddr).Port}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.close)
	if client, err = net.Dial("tcp", loopback(front)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if peer, err = back.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	return n, client, peer
}

// A connection on which bytes were lost must not go on as if they had not been.
func TestConnectionsThatLostBytesEndWhenTheNetworkHeals(t *testing.T) {
	n, _, _ := road(t)
	w := n.ways[0]
	for _, lose := range []bool{true, false} {
		in, out := make(chan *stream.StreamChunk), make(chan *stream.StreamChunk, 2)
		n.HalfOpen()
		go (&weatherToxic{w.front}).Pipe(toxics.NewToxicStub(in, out))
		if lose {
			for range 2 { // when the second one is taken, the first one is gone
				in <- &stream.StreamChunk{Data: []byte("lost")}
			}
		}
		if err := n.Heal(); err != nil {
			t.Fatal(err)
		}
		in <- &stream.StreamChunk{Data: []byte("later")}
		if got := <-out; lose && got != nil {
			t.Errorf("after bytes were lost, %q came through", got.Data)
		} else if !lose && (got == nil || string(got.Data) != "later") {
			t.Errorf("though nothing was lost, %v came through", got)
		}
		close(in)
	}
}

func TestWhatIsSlowArrivesWholeAndInOrder(t *testing.T) {
	n, client, peer := road(t)
	sent := make([]byte, 1<<20)
	for i := range sent {
		sent[i] = byte(i >> 8)
	}
	n.Slow(5*time.Millisecond, 5*time.Millisecond)
	n.Limit(2 << 20)
	got := make([]byte, len(sent))
	go func() {
		client.Write(sent)
		n.Slow(time.Millisecond, 0) // and changes, while bytes are under way
		n.Limit(0)
	}()
	if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("what arrived is not what was sent (%v)", err)
	}
}

// A paused client takes nothing, and the network has to change all the same.
func TestAClientThatDoesNotReadHoldsUpNobody(t *testing.T) {
	n, client, peer := road(t)
	full := make(chan struct{})
	go func() {
		for b := make([]byte, 1<<16); ; {
			peer.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
			if _, err := peer.Write(b); err != nil {
				close(full)
				return
			}
		}
	}()
	<-full
	for range 3 {
		n.Slow(time.Second, 0)
		n.HalfOpen()
		if err := n.Heal(); err != nil {
			t.Fatal(err)
		}
	}
	n.Cut()
	io.Copy(io.Discard, client) // to the end
}
