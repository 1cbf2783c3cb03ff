package com.openfaas.function;

import com.openfaas.model.AbstractHandler;
import com.openfaas.model.IRequest;
import com.openfaas.model.IResponse;
import com.openfaas.model.Response;

/** A function: Handle is called for each request. What is printed goes to the log: `dayfly logs`. */
public class Handler extends AbstractHandler {
    /** Greets whoever the request names. */
    @Override
    public IResponse Handle(IRequest request) {
        String name = request.getBody().strip();
        Response response = new Response();
        response.setContentType("text/plain; charset=utf-8");
        response.setBody("Hello, " + (name.isEmpty() ? "stranger" : name) + "!\n");
        return response;
    }
}
