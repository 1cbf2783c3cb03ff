package com.openfaas.model;

/** A function. One instance serves all calls, several at a time. */
public interface IHandler {
    /** Answers a request. What is thrown becomes a 500, and a trace in the log. */
    IResponse Handle(IRequest request);
}
