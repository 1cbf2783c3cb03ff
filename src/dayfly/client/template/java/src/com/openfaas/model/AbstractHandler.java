package com.openfaas.model;

/** A function as a class to extend. */
public abstract class AbstractHandler implements IHandler {
    @Override
    public abstract IResponse Handle(IRequest request);
}
