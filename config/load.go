package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	prefix = "CERTSAAS_"
	mask   = "********"
)

// Load reads the file at path ("" = none) and the variables lookup gives (os.LookupEnv), and validates the result. Unknown keys in the
// file are errors, with their line.
func Load(path string, lookup func(string) (string, bool)) (Config, error) {
	c := Default()
	if path != "" {
		raw, err := os.ReadFile(path)
		if err != nil {
			return Config{}, fmt.Errorf("config: %w", err)
		}
		dec := yaml.NewDecoder(bytes.NewReader(raw))
		dec.KnownFields(true)
		if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) { // an empty file is fine
			return Config{}, fmt.Errorf("config: %s: %w", path, err)
		}
	}
	var problems []error
	walk(reflect.ValueOf(&c).Elem(), func(field reflect.StructField, v reflect.Value) {
		name := field.Tag.Get("env")
		if name == "" {
			return
		}
		if text, ok := lookup(prefix + name); ok {
			if err := set(v, text); err != nil {
				problems = append(problems, fmt.Errorf("%s%s: %w", prefix, name, err))
			}
		}
	})
	if err := errors.Join(append(problems, c.Validate())...); err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	return c, nil
}

// walk visits every field that is not itself a component's struct.
func walk(v reflect.Value, visit func(reflect.StructField, reflect.Value)) {
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Struct {
			walk(v.Field(i), visit)
			continue
		}
		visit(v.Type().Field(i), v.Field(i))
	}
}

// set writes a variable's text into a field.
func set(v reflect.Value, text string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int32:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return errors.New("not a whole number")
		}
		v.SetInt(n)
	case reflect.Slice:
		var list []string
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		v.Set(reflect.ValueOf(list))
	default:
		return fmt.Errorf("fields of kind %s have no variable", v.Kind())
	}
	return nil
}

// masked is a copy to show: secrets hidden, of addresses the password only.
func (c Config) masked() Config {
	walk(reflect.ValueOf(&c).Elem(), func(field reflect.StructField, v reflect.Value) {
		kind := field.Tag.Get("secret")
		if kind == "" || v.String() == "" {
			return
		}
		shown := mask
		if u, err := url.Parse(v.String()); kind == "url" && err == nil && u.RawQuery == "" {
			shown = u.Redacted()
		}
		v.SetString(shown)
	})
	return c
}
