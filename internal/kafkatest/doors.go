package kafkatest

import (
	"bytes"
	"encoding/binary"
	"net"
	"strconv"
	"sync"
)

// listenTwice is a listener with two ports, for a broker that knows only one:
// kfake tells clients the address of its listener. To those who come through
// the back it has to tell the front, the address of the proxy that sends them.
func listenTwice(network, address, back, front string) (net.Listener, error) {
	plain, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	proxied, err := net.Listen(network, back)
	if err != nil {
		plain.Close()
		return nil, err
	}
	d := &doors{Listener: plain, proxied: proxied, came: make(chan net.Conn), gone: make(chan struct{})}
	own, other := wireAddr(plain.Addr().String()), wireAddr(front)
	go d.accept(plain, func(c net.Conn) net.Conn { return c })
	go d.accept(proxied, func(c net.Conn) net.Conn { return &retold{c, own, other} })
	return d, nil
}

// doors is a listener that has a second one.
type doors struct {
	net.Listener
	proxied net.Listener
	came    chan net.Conn
	closing sync.Once
	gone    chan struct{} // closed when nobody accepts any more
}

func (d *doors) accept(l net.Listener, wrap func(net.Conn) net.Conn) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		select {
		case d.came <- wrap(c):
		case <-d.gone:
			c.Close()
		}
	}
}

func (d *doors) Accept() (net.Conn, error) {
	select {
	case c := <-d.came:
		return c, nil
	case <-d.gone:
		return nil, net.ErrClosed
	}
}

func (d *doors) Close() error {
	d.closing.Do(func() {
		close(d.gone)
		d.proxied.Close()
		d.Listener.Close()
	})
	return nil
}

// retold is a connection on which one address is told instead of another. Both
// are as long as each other, and kfake writes an answer in one piece.
type retold struct {
	net.Conn
	own, other []byte
}

func (r *retold) Write(b []byte) (int, error) {
	return r.Conn.Write(bytes.ReplaceAll(b, r.own, r.other))
}

// wireAddr is an address as Kafka's answers have it: the host, and the port in
// four bytes.
func wireAddr(addr string) []byte {
	host, port, _ := net.SplitHostPort(addr)
	p, _ := strconv.Atoi(port)
	return binary.BigEndian.AppendUint32([]byte(host), uint32(p))
}
