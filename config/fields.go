package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A field is a struct field that a key names.
type field struct {
	key   string
	index []int
}

// fieldsOf lists the keys of a section in their order. Fields of inlined
// structs are the section's own.
func fieldsOf(t reflect.Type) (list []field) {
	for i := range t.NumField() {
		f := t.Field(i)
		key, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if option == "inline" {
			for _, sub := range fieldsOf(f.Type) {
				list = append(list, field{sub.key, append([]int{i}, sub.index...)})
			}
			continue
		}
		list = append(list, field{key, []int{i}})
	}
	return list
}

func fieldNamed(v reflect.Value, key string) (reflect.Value, bool) {
	for _, f := range fieldsOf(v.Type()) {
		if f.key == key {
			return v.FieldByIndex(f.index), true
		}
	}
	return reflect.Value{}, false
}

func keysOf(t reflect.Type) string {
	var keys []string
	for _, f := range fieldsOf(t) {
		keys = append(keys, f.key)
	}
	return strings.Join(keys, ", ")
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// isList says whether a value is a list of sections, such as clusters.
func isList(v reflect.Value) bool {
	return v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	bytesType    = reflect.TypeFor[Bytes]()
	namesType    = reflect.TypeFor[Names]()
	shareType    = reflect.TypeFor[Share]()
)

// setScalar gives a value that is no section and no list its text.
func setScalar(v reflect.Value, text string) error {
	if v.Type() == durationType {
		d, err := parseDuration(text)
		if err != nil {
			return err
		}
		v.SetInt(int64(d))
		return nil
	}
	if v.Type() == bytesType {
		b, err := parseBytes(text)
		if err != nil {
			return err
		}
		v.SetInt(int64(b))
		return nil
	}
	if v.Type() == shareType {
		s, err := parseShare(text)
		if err != nil {
			return err
		}
		v.SetFloat(float64(s))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q must be true or false", text)
		}
		v.SetBool(text == "true")
	case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, v.Type().Bits())
		if errors.Is(err, strconv.ErrRange) {
			return fmt.Errorf("%s is too large", text)
		}
		if err != nil {
			return fmt.Errorf("%q must be a whole number", text)
		}
		v.SetInt(n)
	default:
		return fmt.Errorf("%q must be a list", text)
	}
	return nil
}

var days = regexp.MustCompile(`^(\d+)d(.*)$`)

// parseDuration reads what time.ParseDuration reads, and days. A bare number
// has no unit and is refused, even 0.
func parseDuration(text string) (time.Duration, error) {
	wrong := fmt.Errorf("%q must be a duration with units, such as 30s, 10m, 1h30m or 7d", text)
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return 0, wrong
	}
	var whole time.Duration
	rest := text
	if m := days.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil || n > 100000 {
			return 0, fmt.Errorf("%q is too long", text)
		}
		if whole, rest = time.Duration(n)*24*time.Hour, m[2]; rest == "" {
			return whole, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil {
		return 0, wrong
	}
	return whole + d, nil
}
