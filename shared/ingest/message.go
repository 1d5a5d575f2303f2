package ingest

import (
	"encoding/json"
	"errors"
	"strings"

	"sluice/shared/upload"
)

// message is what was read of a message: a job, or objects to look at.
type message struct {
	job     *upload.Job
	objects []upload.StoredObject
}

// envelope is any message that may come: a job of ours, an event of EventBridge,
// a notification of S3 itself, or the event by which S3 tries a queue out.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
type envelope struct {
	upload.Job

	Source     string `json:"source"`
	DetailType string `json:"detail-type"` //nolint:tagliatelle // the names are AWS's
	Detail     struct {
		Bucket struct {
			Name string `json:"name"`
		} `json:"bucket"`
		Object struct {
			Key string `json:"key"` // as it is: unlike in a notification, not URL-encoded
		} `json:"object"`
	} `json:"detail"`

	Records json.RawMessage `json:"Records"` //nolint:tagliatelle // the names are AWS's
	Event   string          `json:"Event"`   //nolint:tagliatelle // the names are AWS's
}

// read reads a message.
func read(body []byte) (message, error) {
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return message{}, errors.New("the message is not JSON") // the error would quote it
	}
	switch {
	case e.Name != "":
		return message{job: &e.Job}, nil
	case e.Source == "aws.s3" && (e.DetailType == "Object Created" || e.DetailType == "Object Deleted"):
		if e.Detail.Bucket.Name == "" || e.Detail.Object.Key == "" {
			return message{}, errors.New("the event names no object")
		}
		return message{objects: []upload.StoredObject{{Bucket: e.Detail.Bucket.Name, Key: e.Detail.Object.Key}}}, nil
	case e.Source == "aws.s3", e.Event == "s3:TestEvent":
		return message{}, nil
	case len(e.Records) > 0 && !strings.EqualFold(string(e.Records), "null"):
		objects, err := upload.ReadEvents(body)
		return message{objects: objects}, err
	}
	return message{}, errors.New("the message is neither a job nor an event of S3")
}
