package audit

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestEachMessageIsStampedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		payload := func(_ string, _, value []byte) (int64, bool) {
			ms, err := strconv.ParseInt(string(value), 10, 64)
			return ms, err == nil
		}
		for name, tc := range map[string]struct {
			headers map[string]string
			value   string
			o       Options
			want    int64
			adds    string
		}{
			"nothing says a time":          {want: -1, adds: "chaperone-time"},
			"the payload does":             {value: "42", o: Options{EventTime: payload}, want: 42, adds: "chaperone-time"},
			"the payload does not":         {value: "x", o: Options{EventTime: payload}, want: -1, adds: "chaperone-time"},
			"it is stamped":                {headers: map[string]string{"chaperone-time": "7"}, value: "42", o: Options{EventTime: payload}, want: 7},
			"it is a CloudEvent":           {headers: map[string]string{"ce_time": "1970-01-01T00:00:09.5Z"}, want: 9500},
			"what is there cannot be read": {headers: map[string]string{"chaperone-time": "soon", "ce_time": "later"}, want: -1, adds: "chaperone-time"},
			"messages are named":           {o: Options{Identify: true}, want: -1, adds: "chaperone-time chaperone-id chaperone-seq"},
			"one has a name":               {headers: map[string]string{"chaperone-id": "x"}, o: Options{Identify: true}, want: -1, adds: "chaperone-time chaperone-seq"},
		} {
			tc.o.Tier, tc.o.Reporter, tc.o.Instance = "edge", listen(t), "app"
			r := mustRecorder(t, tc.o)
			get := func(name string) ([]byte, bool) { v, ok := tc.headers[name]; return []byte(v), ok }
			ms, add := r.Topic("t").Stamp(nil, []byte(tc.value), get)
			if tc.want < 0 {
				tc.want = time.Now().UnixMilli()
			}
			var names []string
			for _, h := range add {
				names = append(names, h.Key)
				if tc.headers == nil {
					tc.headers = map[string]string{}
				}
				tc.headers[h.Key] = string(h.Value)
			}
			if got := strings.Join(names, " "); ms != tc.want || got != tc.adds {
				t.Errorf("%s: time %d, want %d; adds %q, want %q", name, ms, tc.want, got, tc.adds)
			}
			time.Sleep(time.Second)
			if again, add := r.Topic("t").Stamp(nil, []byte(tc.value), get); again != ms || len(add) > 0 {
				t.Errorf("%s: the second time it is %d, and adds %v", name, again, add)
			}
			if delivered := r.Topic("t").EventTime(nil, []byte(tc.value), get); delivered != ms {
				t.Errorf("%s: delivered with %d, want %d", name, delivered, ms)
			}
			if err := r.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestStampsOfOneTimeAreShared(t *testing.T) {
	r := mustRecorder(t, Options{Tier: "edge", Reporter: listen(t), Identify: true, EventTime: func(_ string, _, value []byte) (int64, bool) { return int64(value[0]), true }})
	defer r.Close(t.Context())
	none := func(string) ([]byte, bool) { return nil, false }
	seen := map[string]bool{}
	for _, ms := range []byte{7, 7, 8, 7} {
		_, add := r.Topic("t").Stamp(nil, []byte{ms}, none)
		if len(add) != 3 || string(add[0].Value) != strconv.Itoa(int(ms)) || seen[string(add[1].Value)] || seen[string(add[2].Value)] {
			t.Errorf("%d: %q", ms, add)
		}
		seen[string(add[1].Value)], seen[string(add[2].Value)] = true, true
	}
	r.o.Identify = false
	nine := []byte{9}
	if n := testing.AllocsPerRun(100, func() { r.Topic("t").Stamp(nil, nine, none) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
