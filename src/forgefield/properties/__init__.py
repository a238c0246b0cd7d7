"""What a model says of molecules: forces, Hessians, normal modes, sensitivities."""
