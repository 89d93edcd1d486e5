package audit

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"testing"
)

// The expected hashes and sums were computed in another language with the
// reference implementation of xxHash (0.8.4), and with whole numbers of any size.

func TestHashesNeverChange(t *testing.T) {
	long := make([]byte, 1500)
	for i := range long {
		long[i] = byte(i * 7)
	}
	user := []byte("user-1")
	for _, c := range []struct {
		key, value []byte
		want       uint64
	}{
		{nil, nil, 0xddd13631cf62d6d3},
		{nil, []byte{}, 0x28c83e12d56d9107},
		{[]byte{}, nil, 0xe534d65233bb4472},
		{[]byte{}, []byte{}, 0xda060edc7f523606},
		{nil, []byte("v"), 0xc7c7c5e80c266213},
		{[]byte("k"), nil, 0x3d097d3e82606c73},
		{user, []byte("hello"), 0xb019a862cb1dd89d},
		{user, long[:100], 0xa2e70db4e2407d7c},
		{user, long[:200], 0xd5e73010afd8f730},
		{user, long[:241], 0xe158c9925abf8841},
		{long[:300], long, 0xb022596dccd0ce18},
	} {
		if got := Hash(c.key, c.value); got != c.want {
			t.Errorf("hash of %d and %d bytes (null %v, %v) is %#016x, want %#016x", len(c.key), len(c.value), c.key == nil, c.value == nil, got, c.want)
		}
	}
}

func TestMomentsNeverChange(t *testing.T) {
	user := []byte("user-1")
	for _, c := range []struct {
		key  []byte
		ms   int64
		want uint64
	}{
		{nil, 0, 0xcd0d77bbae3bbfa4},
		{[]byte{}, 0, 0xa5e0f6012465c956},
		{nil, 1, 0x2bccfa2dc09a9325},
		{user, 1769853600000, 0x9a7e0c054ec3b79e},
		{user, 0, 0x492d1a8f2dc67680},
		{user, -1, 0x97b15656e3c13ed9},
	} {
		if got := Moment(c.key, c.ms); got != c.want {
			t.Errorf("moment of key %q (null %v) at %d is %#016x, want %#016x", c.key, c.key == nil, c.ms, got, c.want)
		}
	}
}

func TestAMomentIsOfKeyAndTimeAlone(t *testing.T) {
	for _, key := range [][]byte{nil, {}, []byte("k"), make([]byte, 300)} {
		for _, value := range [][]byte{nil, {}, []byte("v"), make([]byte, 300)} {
			for _, ms := range []int64{0, 1769853600000, math.MinInt64} {
				hash, k := Hashes(key, value)
				if hash != Hash(key, value) || k.Moment(ms) != Moment(key, ms) {
					t.Errorf("%d and %d bytes (null %v, %v) at %d: hashes %#x, %#x", len(key), len(value), key == nil, value == nil, ms, hash, k.Moment(ms))
				}
				if as := Hash(key, binary.LittleEndian.AppendUint64(nil, uint64(ms))); as != Moment(key, ms) {
					t.Errorf("key of %d bytes at %d: not as the page for clients says, %#x", len(key), ms, as)
				}
			}
		}
	}
}

// What a judge needs: an altered payload shows in the power sums alone, one message
// lost and another doubled shows in both.
func TestAlteredMessagesAreToldFromLostAndDoubledOnes(t *testing.T) {
	of := func(values ...string) (t Tally) {
		for _, v := range values {
			h, k := Hashes([]byte(v[:1]), []byte(v))
			t.Add(&Event{Hash: h, Moment: k.Moment(1769853600000)})
		}
		return t
	}
	sent, altered, doubled := of("a1", "b1", "c1"), of("a1", "b2", "c1"), of("a1", "a1", "c1")
	if sent.PowerSums == altered.PowerSums || sent.Moments != altered.Moments {
		t.Error("an altered payload does not show in the power sums, or shows in the moments")
	}
	if sent.PowerSums == doubled.PowerSums || sent.Moments == doubled.Moments {
		t.Error("one lost and one doubled do not show in both")
	}
}

func TestHashTellsShapesApart(t *testing.T) {
	seen := map[uint64]string{}
	for _, c := range [][2][]byte{
		{nil, nil}, {nil, {}}, {{}, nil}, {{}, {}}, {nil, []byte("abc")}, {{}, []byte("abc")}, {[]byte("abc"), nil}, {[]byte("abc"), {}},
		{[]byte("ab"), []byte("c")}, {[]byte("a"), []byte("bc")}, {[]byte("c"), []byte("ab")}, {{0}, nil}, {nil, {0}}, {{0}, {0}}, {nil, {0, 0}},
	} {
		shape := fmt.Sprintf("%q,%q (null %v,%v)", c[0], c[1], c[0] == nil, c[1] == nil)
		h := Hash(c[0], c[1])
		if was, ok := seen[h]; ok {
			t.Errorf("%s and %s have the same hash", was, shape)
		}
		seen[h] = shape
	}
}

func TestFingerprintOfAThousandMessagesNeverChanges(t *testing.T) {
	var tally Tally
	for i := range 1000 {
		tally.Add(&Event{Hash: Hash(nil, fmt.Appendf(nil, "message %d", i))})
	}
	if want := uint64(8697284371182128731); tally.Fingerprint != want {
		t.Errorf("fingerprint %d, want %d", tally.Fingerprint, want)
	}
	want := PowerSums{1779755343541050862, 1600955931826093154, 86840316860782385, 615166829404112436, 434418737321631172, 322495762686020746, 230956801903717993}
	if tally.PowerSums != want {
		t.Errorf("power sums %v, want %v", tally.PowerSums, want)
	}
}

func TestPowerSumsAreSumsOfPowers(t *testing.T) {
	rng := newRand(t)
	p := big.NewInt(prime)
	naive := func(hashes []uint64) (sums PowerSums) {
		for j := range sums {
			sum := new(big.Int)
			for _, h := range hashes {
				id := new(big.Int).Mod(new(big.Int).SetUint64(h), p)
				if id.Sign() == 0 {
					id.SetInt64(1)
				}
				sum.Add(sum, id.Exp(id, big.NewInt(int64(j+1)), p))
			}
			sums[j] = sum.Mod(sum, p).Uint64()
		}
		return sums
	}
	edges := []uint64{0, 1, 2, prime - 1, prime, prime + 1, 2 * prime, 2*prime + 1, 7 * prime, 8 * prime, 8*prime + 7, math.MaxUint64, math.MaxUint64 - 1, 1 << 61, 1 << 63}
	for _, h := range edges {
		var s PowerSums
		s.Add(h)
		if want := naive([]uint64{h}); s != want {
			t.Errorf("power sums of %d are %v, want %v", h, s, want)
		}
	}
	for range 50 {
		hashes := make([]uint64, rng.IntN(100))
		var s, left, right PowerSums
		for i := range hashes {
			hashes[i] = rng.Uint64()
			if rng.IntN(4) == 0 {
				hashes[i] = edges[rng.IntN(len(edges))]
			}
			s.Add(hashes[i])
			if rng.IntN(2) == 0 {
				left.Add(hashes[i])
			} else {
				right.Add(hashes[i])
			}
		}
		left.Merge(&right)
		if want := naive(hashes); s != want || left != want {
			t.Fatalf("of %v: added %v, merged %v, want %v", hashes, s, left, want)
		}
	}
	t.Run("merging takes sums that were not reduced", func(t *testing.T) {
		var s PowerSums
		s.Merge(&PowerSums{math.MaxUint64, prime, 8 * prime, 1, 0, prime - 1, prime + 1})
		if want := (PowerSums{7, 0, 0, 1, 0, prime - 1, 1}); s != want {
			t.Errorf("sums %v, want %v", s, want)
		}
	})
}
