package com.openfaas.function;

import com.openfaas.model.IHandler;
import com.openfaas.model.IRequest;
import com.openfaas.model.IResponse;
import com.openfaas.model.Response;

public class Handler implements IHandler {
    public IResponse Handle(IRequest req) {
        Response res = new Response();
        res.setStatusCode(202);
        res.setHeader("X-Path", req.getPathRaw());
        res.setBody("got " + req.getBody());
        return res;
    }
}
