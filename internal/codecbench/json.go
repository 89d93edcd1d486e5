package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/buger/jsonparser"
	"github.com/bytedance/sonic"
	"github.com/tidwall/gjson"
	"github.com/valyala/fastjson"

	"github.com/chaperone-audit/chaperone/codecs"
)

const when = 1795285200123

// document is 700 bytes of what a shop might log, with the time as its first, middle or
// last member.
func document(place string) []byte {
	at := map[string]string{place: fmt.Sprintf(`"ts":%d`, when)}
	d := fmt.Sprintf(`{%s"event":"order_placed","id":"4f9a3c1e-77d2-4c0b-9c1f-0f5b7a3d2e11","version":3,"user":{"id":182736455,"name":"Zoë \"Z\" Müller","email":"zoe@example.org","segments":["returning","newsletter","beta"]},"ok":true,`+
		`"session":{"id":"s-91823","ip":"203.0.113.7","agent":"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0","ts":1795285199000},%s`+
		`"items":[{"sku":"A-1001","qty":2,"price":12.50,"tags":[]},{"sku":"B-2002","qty":1,"price":199.00,"tags":["fragile"]},{"sku":"C-3","qty":10,"price":0.99,"tags":["bulk","eco"]}],`+
		`"total":233.9,"currency":"EUR","coupon":null,"note":"%%s"%s}`,
		comma(at["first"], "", ","), comma(at["middle"], "", ","), comma(at["last"], ",", ""))
	return fmt.Appendf(nil, d, strings.Repeat("x", 700-len(d)+len("%s")))
}

func comma(s, before, behind string) string {
	if s == "" {
		return ""
	}
	return before + s + behind
}

func jsonContests() (list []contest) {
	for _, place := range []string{"first", "middle", "last"} {
		doc := document(place)
		codec, err := codecs.JSON(codecs.Rule{Fields: []string{"ts"}, Unit: "ms"})
		if err != nil {
			panic(err)
		}
		strict, err := codecs.JSON(codecs.Rule{Fields: []string{"ts"}, Unit: "ms", Strict: true})
		if err != nil {
			panic(err)
		}
		var parser fastjson.Parser
		list = append(list, contest{
			name: "json-" + place, size: len(doc), want: when,
			all: []contender{
				{ours, byCodec(codec, doc)},
				{"strict", byCodec(strict, doc)},
				{"fastjson", func() (int64, error) {
					v, err := parser.ParseBytes(doc)
					if err != nil {
						return 0, err
					}
					return v.GetInt64("ts"), nil
				}},
				{"gjson", func() (int64, error) { return gjson.GetBytes(doc, "ts").Int(), nil }},
				{"jsonparser", func() (int64, error) { return jsonparser.GetInt(doc, "ts") }},
				{"sonic", func() (int64, error) {
					n, err := sonic.Get(doc, "ts")
					if err != nil {
						return 0, err
					}
					return n.Int64()
				}},
				{"encoding/json", func() (int64, error) {
					var v struct {
						TS int64 `json:"ts"`
					}
					err := json.Unmarshal(doc, &v)
					return v.TS, err
				}},
			},
			judge: func(r *results) {
				r.noAllocations()
				switch place {
				case "first":
					r.atLeast("speed", "fastjson", 6)
					for _, other := range []string{"gjson", "jsonparser", "sonic", "encoding/json"} {
						r.atLeast("speed", other, 1)
					}
				case "last":
					r.atLeast("speed", "fastjson", 2)
					for _, other := range []string{"gjson", "jsonparser", "encoding/json"} {
						r.atLeast("speed", other, 1)
					}
				}
			},
		})
	}
	return list
}

var errNoTime = errors.New("no time")

func byCodec(c codecs.Codec, value []byte) func() (int64, error) {
	m := &codecs.Message{Value: value}
	return func() (int64, error) {
		ms, s := c.EventTime(m)
		if s != codecs.Found {
			return 0, errNoTime
		}
		return ms, nil
	}
}
