package protocol

// EncodeProblem returns e as the body of an HTTP answer, application/problem+json (RFC 9457, P-29). Its type is "about:blank",
// as the RFC has it where "code" says what is wrong, and its title is therefore the status's own phrase.
func EncodeProblem(e *Error) []byte {
	status := e.Code.Info().Status
	return marshal(Problem{
		Type: "about:blank", Title: statusPhrase(status), Status: status,
		Code: e.Code, Detail: e.Message, ID: e.ID, Topic: e.Topic, Line: e.Line, RetryAfterMS: e.RetryAfterMS,
	})
}

// statusPhrase names the statuses of the table of codes, so that net/http stays out of a package of pure values.
func statusPhrase(status int) string {
	switch status {
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 409:
		return "Conflict"
	case 413:
		return "Request Entity Too Large"
	case 422:
		return "Unprocessable Entity"
	case 429:
		return "Too Many Requests"
	case 503:
		return "Service Unavailable"
	}
	return "Internal Server Error"
}
