package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/restante/restante/protocol"
)

const (
	// callTimeout bounds a call that does not wait for anybody.
	callTimeout = 30 * time.Second
	// maxAnswer bounds an answer that is read: a page of frames with a snapshot is the longest.
	maxAnswer = 16 << 20
)

// apiFlags say which broker a tool talks to.
type apiFlags struct {
	URL   string `name:"url" default:"http://127.0.0.1:7480" help:"The broker's base URL."`
	Token string `help:"Bearer token for the broker."`
}

// api calls the broker's HTTP side.
type api struct {
	base  *url.URL
	token string
	http  *http.Client
}

// call is one request. timeout 0 means callTimeout.
type call struct {
	method, path string
	query        url.Values
	contentType  string
	key          string // Idempotency-Key
	body         []byte
	timeout      time.Duration
}

// open checks the flags.
func (f apiFlags) open() (*api, error) {
	u, err := url.Parse(f.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, usageError{fmt.Errorf("--url: %q is no http:// or https:// URL", f.URL)}
	}
	u.Path, u.RawQuery, u.Fragment = strings.TrimSuffix(u.Path, "/"), "", ""
	return &api{base: u, token: f.Token, http: &http.Client{}}, nil
}

// clientPath is the path below /v1/clients of a checked client_id.
func clientPath(id, rest string) string { return "/v1/clients/" + url.PathEscape(id) + rest }

// call sends c and decodes the answer into out. A refusal of the broker's is a *protocol.Error, or wraps one; what the network
// did is any other error.
func (a *api) call(ctx context.Context, c call, out any) error {
	if c.timeout == 0 {
		c.timeout = callTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	target := a.base.String() + c.path
	if len(c.query) > 0 {
		target += "?" + c.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, c.method, target, bytes.NewReader(c.body))
	if err != nil {
		return err
	}
	if c.contentType != "" {
		req.Header.Set("Content-Type", c.contentType)
	}
	if c.key != "" {
		req.Header.Set("Idempotency-Key", c.key)
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	res, err := a.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			return u.Err // the method and the whole URL are noise to somebody who gave --url
		}
		return err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	if res.StatusCode/100 != 2 {
		return refusal(res, data)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return protocol.Errorf(protocol.CodeBadRequest, "the answer is not a broker's: %v", err)
	}
	return nil
}

// refusal reads an answer that is not 2xx. Where it is no problem document, the status alone says whether to come back.
func refusal(res *http.Response, data []byte) *protocol.Error {
	var p protocol.Problem
	if json.Unmarshal(data, &p) == nil && p.Code != "" {
		e := &protocol.Error{Code: p.Code, Message: p.Detail, ID: p.ID, Line: p.Line, RetryAfterMS: p.RetryAfterMS}
		if e.Message == "" {
			e.Message = p.Title
		}
		if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && e.RetryAfterMS == 0 {
			e.RetryAfterMS = int64(s) * 1000
		}
		return e
	}
	e := &protocol.Error{Code: protocol.CodeBadRequest, Message: "HTTP status " + res.Status}
	switch res.StatusCode {
	case http.StatusTooManyRequests:
		e.Code = protocol.CodeRateLimited
	case http.StatusRequestTimeout, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e.Code = protocol.CodeOverloaded
	case http.StatusUnauthorized:
		e.Code = protocol.CodeUnauthorized
	case http.StatusForbidden:
		e.Code = protocol.CodeForbidden
	case http.StatusNotFound:
		e.Code = protocol.CodeNotFound
	}
	return e
}

// retryable reports whether the same call may well succeed later: the network failed, or the broker said so (P-30).
func retryable(err error) bool {
	var e *protocol.Error
	if errors.As(err, &e) {
		return e.Code.Info().Retry
	}
	return true
}

// interrupted replaces the error of a call that a signal cut short by the signal's exit status.
func interrupted(ctx context.Context, err error) error {
	var s status
	if errors.As(context.Cause(ctx), &s) {
		return s
	}
	return err
}

// checkClient refuses what is no client_id before anything is asked of the broker.
func checkClient(id string) error {
	if err := protocol.CheckClientID(id); err != nil {
		return usageError{err}
	}
	return nil
}
